//! Recipes and rules.
