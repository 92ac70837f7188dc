# LangChain Python: pip install langchain-openai
import os

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

model = os.environ.get("UNDERSTUDY_MODEL", "policy/demo")
at = {
    "base_url": os.environ["UNDERSTUDY_URL"] + "/v1",
    "api_key": os.environ["UNDERSTUDY_KEY"],
    "max_retries": 0,  # Understudy retries.
}
chat = ChatOpenAI(model=model, **at)

print(chat.invoke("Hello").content)
for piece in chat.stream("Hello"):
    print(piece.content, end="")
print()

# check_embedding_ctx_length would send token numbers, of a tokenizer that only OpenAI's own models have.
embeddings = OpenAIEmbeddings(model=os.environ.get("UNDERSTUDY_EMBEDDINGS", "sim/echo"), check_embedding_ctx_length=False, **at)
print("embedding of", len(embeddings.embed_query("Hello")), "numbers")

# Tools and structured output want a model that has them; policy/demo repeats what it is told.
if model != "policy/demo":

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    asked = chat.bind_tools([weather]).invoke("How is the weather in Lisbon?")
    print("tool:", weather.invoke(asked.tool_calls[0]).content)

    class City(BaseModel):
        city: str
        population: int

    found = chat.with_structured_output(City).invoke("The largest city of Portugal")
    print("object:", found.city, found.population)
