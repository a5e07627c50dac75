"""`data=streets`: driving scenes that the program draws itself, so that it runs without any data set."""

from locnet.data.streets.generate import generate
from locnet.data.streets.scene import CLASSES, Scene
from locnet.data.streets.studio import render

__all__ = ["CLASSES", "Scene", "generate", "render"]
