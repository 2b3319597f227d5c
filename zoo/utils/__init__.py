"""What every part of zoo needs: files and text. Standard library only."""
