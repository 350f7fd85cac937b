"""Commands for whoever writes or changes a lesson. A learner never needs them."""
