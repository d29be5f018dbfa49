"""decide: (state, command) to events; evolve: (state, event) to state. One module for each kind of stream."""
