//! One time step of a ConvRNN as a graph: operations, states, passes, quantisation and reference interpreters.
