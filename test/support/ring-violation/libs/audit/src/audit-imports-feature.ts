import '#libs/models';
