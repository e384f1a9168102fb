"""Pictures in class folders or a zip, and how any picture is decoded."""
