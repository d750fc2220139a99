"""The track editor's document: parsing and sampling."""
