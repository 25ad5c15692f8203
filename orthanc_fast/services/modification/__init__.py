"""Modification and anonymization of stored resources."""
