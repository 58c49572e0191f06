"""Training the joint network from asymmetric annotations."""
