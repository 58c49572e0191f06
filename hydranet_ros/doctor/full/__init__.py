"""
``hydranet doctor --full``: the acceptance run of a machine, in under ten minutes.

Each module is one step; :data:`hydranet_ros.doctor.full.steps.STEPS` lists them. Each case of a
step runs in a process of its own with a time limit, so a failure never stops the rest.
"""
