"""What another system has of a shop becomes files of ours, and what stays behind is told.

Not here: what is read of our own files, which is `shop_data`.
"""
