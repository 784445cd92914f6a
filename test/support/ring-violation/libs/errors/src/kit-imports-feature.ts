import '#libs/users';
