"""What a profile says, in words: pages, explanations, differences."""
