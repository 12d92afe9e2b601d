from tests.nn.real.operators import declare

declare()
