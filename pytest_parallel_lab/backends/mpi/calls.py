"""The methods of an mpi4py communicator, by what they wait for."""

from __future__ import annotations

SENDS = (
    "Send", "Ssend", "Rsend", "Bsend", "send", "ssend", "bsend",
    "Isend", "Issend", "Irsend", "Ibsend", "isend", "issend", "ibsend",
)  # fmt: skip

# Standard sends may be buffered: these are the same without that.
SYNCHRONOUS = {"Send": "Ssend", "send": "ssend", "Isend": "Issend", "isend": "issend"}

RECEIVES = ("Recv", "recv", "Probe", "probe", "Irecv", "irecv")

WAITS_FOR_BOTH = ("Sendrecv", "sendrecv", "Sendrecv_replace")

# Some ranks may leave these before all others have entered them.
ROOTED = (
    "Bcast", "bcast", "Gather", "gather", "Gatherv", "Scatter", "scatter", "Scatterv", "Reduce", "reduce",
    "Scan", "scan", "Exscan", "exscan",
)  # fmt: skip

COLLECTIVES = (
    *ROOTED,
    "Barrier", "barrier", "Allgather", "allgather", "Allgatherv", "Alltoall", "alltoall", "Alltoallv", "Alltoallw",
    "Allreduce", "allreduce", "Reduce_scatter", "Reduce_scatter_block",
    "Ibarrier", "Ibcast", "Igather", "Igatherv", "Iscatter", "Iscatterv", "Iallgather", "Iallgatherv", "Ialltoall",
    "Ialltoallv", "Ialltoallw", "Ireduce", "Iallreduce", "Ireduce_scatter", "Ireduce_scatter_block", "Iscan",
    "Iexscan",
)  # fmt: skip

# mpi4py duplicates the communicator when one of these is first used on it, which waits for all ranks
# and keeps the interpreter lock meanwhile: a barrier before it waits for the same, without the lock.
DUPLICATES_FIRST = ("reduce", "allreduce", "scan", "exscan")

CREATING = (
    "Dup", "Dup_with_info", "Clone", "Split", "Split_type", "Create", "Create_group", "Create_cart", "Create_graph",
    "Create_dist_graph", "Create_dist_graph_adjacent",
)  # fmt: skip

# What these do to the messages under way is not noted.
OPAQUE = (
    "Send_init", "Ssend_init", "Bsend_init", "Rsend_init", "Recv_init", "Psend_init", "Precv_init", "Isendrecv",
    "Isendrecv_replace", "Create_intercomm", "Spawn", "Spawn_multiple", "Accept", "Connect", "Idup", "Idup_with_info",
    "Revoke", "Shrink",
)  # fmt: skip
