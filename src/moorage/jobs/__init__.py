"""The background front: schedules and workflows that call use cases."""
