import '#libs/audit';
