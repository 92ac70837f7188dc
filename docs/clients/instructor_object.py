# Instructor: pip install instructor. It wants a model that has tools: UNDERSTUDY_MODEL names the policy.
import os

import instructor
from openai import OpenAI
from pydantic import BaseModel

openai = OpenAI(base_url=os.environ["UNDERSTUDY_URL"] + "/v1", api_key=os.environ["UNDERSTUDY_KEY"], max_retries=0)
client = instructor.from_openai(openai)


class City(BaseModel):
    city: str
    population: int


found = client.create(
    model=os.environ["UNDERSTUDY_MODEL"],
    response_model=City,
    messages=[{"role": "user", "content": "The largest city of Portugal"}],
)
print("object:", found.city, found.population)
