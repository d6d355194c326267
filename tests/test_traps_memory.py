from ._child import run_child
def test_a(): assert run_child("print(1)")=="1\n"
