"""What a resolve costs, compared with a bare tonic server on the same machine."""
