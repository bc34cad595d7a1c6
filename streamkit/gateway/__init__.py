"""The reference proxy: `streamkit gateway` stands between client and server and passes every byte on as it comes."""
