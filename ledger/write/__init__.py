"""The write side: check → accounts → id → one conditional request → the outcome, always known."""
