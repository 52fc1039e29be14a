"""The serial oracles, one module per problem: what every parallel implementation must agree with."""
