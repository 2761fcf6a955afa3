"""`lrnn explore`: a local page on which an automaton and its linear RNN move together."""
