"""The three things to be found, each a function that makes its random choices and returns a drawing."""

from locnet.data.streets.objects.car import sample_car
from locnet.data.streets.objects.motorcycle import sample_motorcycle
from locnet.data.streets.objects.pedestrian import sample_pedestrian

__all__ = ["sample_car", "sample_motorcycle", "sample_pedestrian"]
