"""An index that several machines share, in Milvus."""
