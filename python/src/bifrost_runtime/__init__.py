"""The Python side of Bifrost: what runs inside the zygote and its children."""
