"""Spark, for what one machine cannot hold."""
