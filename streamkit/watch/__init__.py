"""The live page: where the tokens of a stream are, hop by hop. Attached to a gateway; see `streamkit.watch.open`."""
