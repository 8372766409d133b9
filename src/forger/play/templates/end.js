if (can("walk")) pinsChanged();
changed();
