"""A Spark session in which the trainer's code runs on the workers."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from recsys.errors import InvalidArgumentError, RecsysError

# What the trainer needs to be so; everything else is the cluster's: spark-defaults.conf, or SPARK_… of the environment.
_SETTINGS: Final = {
    "spark.driver.maxResultSize": "0",  # the factors of all items come to the driver
    "spark.executorEnv.OMP_NUM_THREADS": "1",  # a task has a core, not a machine
    "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
}


class SparkError(RecsysError):
    """Spark could not do what it was asked for: says what."""


@contextmanager
def opened(master: str) -> Iterator[SparkSession]:
    """A session with the workers of a master, which ends with the block.

    Raises:
        InvalidArgumentError: there is no Java.
        SparkError: what Spark itself says.
    """
    java_home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (java_home and (Path(java_home) / "bin/java").exists())):
        raise InvalidArgumentError(
            "--engine spark: expected Java 17 or newer, found none: install openjdk-17-jre-headless, or set JAVA_HOME"
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName("trainer")
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    spark = None
    try:
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        yield spark
    except (PySparkException, Py4JError) as error:
        raise SparkError(f"{master}: {_first_line(error)}") from error
    finally:
        if spark is not None:
            spark.stop()


def _first_line(error: Exception) -> str:
    """What our own code said on a worker; else the first line of what Spark says."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    told = [line.partition(": ")[2] for line in lines if line.startswith("recsys.errors.")]
    return (told or lines or [type(error).__name__])[0]
