changed();
