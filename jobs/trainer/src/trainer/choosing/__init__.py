"""Which recipe a run takes and whether it may go live: candidates, selection, tuning, blending, judging, the gate.

The figures come from `trainer.evaluation`, the models from `trainer.models`.
"""
