"""The configuration as types: what each key may hold. Defaults are in conf/, checks and messages in check.py."""

from locnet.config.schema.base import Positive, Settings
from locnet.config.schema.commands import (
    CalibrationSettings,
    DoctorSettings,
    EvaluateSettings,
    PackSettings,
    PredictSettings,
    TrainSettings,
)
from locnet.config.schema.data import (
    AutoSettings,
    CocoSettings,
    CsvSettings,
    CubSettings,
    DataSettings,
    FoldersSettings,
    ImagenetSettings,
    LabelSettings,
    ParquetSettings,
    PetsSettings,
    ShardsSettings,
    StreetsSettings,
    TinyImagenetSettings,
    VocSettings,
    YoloSettings,
)
from locnet.config.schema.model import LinearHeadSettings, ModelSettings, OptimizerSettings, SchedulerSettings

__all__ = [
    "AutoSettings",
    "CalibrationSettings",
    "CocoSettings",
    "CsvSettings",
    "CubSettings",
    "DataSettings",
    "DoctorSettings",
    "EvaluateSettings",
    "FoldersSettings",
    "ImagenetSettings",
    "LabelSettings",
    "LinearHeadSettings",
    "ModelSettings",
    "OptimizerSettings",
    "PackSettings",
    "ParquetSettings",
    "PetsSettings",
    "Positive",
    "PredictSettings",
    "SchedulerSettings",
    "Settings",
    "ShardsSettings",
    "StreetsSettings",
    "TinyImagenetSettings",
    "TrainSettings",
    "VocSettings",
    "YoloSettings",
]
