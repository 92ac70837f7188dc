# PydanticAI: pip install "pydantic-ai-slim[openai]"
import os

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

name = os.environ.get("UNDERSTUDY_MODEL", "policy/demo")
client = AsyncOpenAI(base_url=os.environ["UNDERSTUDY_URL"] + "/v1", api_key=os.environ["UNDERSTUDY_KEY"], max_retries=0)
model = OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client))

print(Agent(model).run_sync("Hello").output)

# Tools and structured output want a model that has them; policy/demo repeats what it is told.
if name != "policy/demo":

    class City(BaseModel):
        city: str
        population: int

    agent = Agent(model, output_type=City)

    @agent.tool_plain
    def country(of: str) -> str:
        """The country that a city is in."""
        print("tool: country of", of)
        return "Portugal"

    found = agent.run_sync("The largest city of Portugal").output
    print("object:", found.city, found.population)
