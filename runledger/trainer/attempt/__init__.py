"""The attempt's own process: it loads a recipe, trains, and writes down what happens. No tracker here."""
