"""Map-reduce: the words of a collection of documents, streamed in chunks, in any script."""
