import '#libs/predictions';
