"""DICOMweb beside its doors: which resources its paths name, and what is made of them."""
