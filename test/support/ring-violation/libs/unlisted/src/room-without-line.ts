import '#libs/errors';
