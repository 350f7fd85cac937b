"""Helpers shared by the fourteen notebooks. Data flows one way: text → ids → model → loss or tokens → picture."""
