"""Makes a sample session and its defect variants from public portraits and neural speech."""
