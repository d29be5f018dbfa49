"""The log's seal: signed Merkle roots over all events so far, and what can be proven with them.

The tree, its leaves and its proofs are those of RFC 6962; a seal is written down as a checkpoint of a
transparency log (C2SP tlog-checkpoint, a signed note). Nothing here is an invention of ours but what a
leaf covers and which words the notes carry.
"""
