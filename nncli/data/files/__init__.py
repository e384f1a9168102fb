"""Files of data: fetched, unpacked, looked at before they are opened, and read."""
