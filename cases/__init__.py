"""The lab: one folder per problem, one module per implementation. Uses the public interface only."""
