# LlamaIndex: pip install llama-index-llms-openai-like llama-index-embeddings-openai-like
import os

from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

model = os.environ.get("UNDERSTUDY_MODEL", "policy/demo")
at = {"api_base": os.environ["UNDERSTUDY_URL"] + "/v1", "api_key": os.environ["UNDERSTUDY_KEY"], "max_retries": 0}
llm = OpenAILike(model=model, is_chat_model=True, is_function_calling_model=True, **at)

print(llm.complete("Hello").text)
for piece in llm.stream_complete("Hello"):
    print(piece.delta, end="")
print()

embeddings = OpenAILikeEmbedding(model_name=os.environ.get("UNDERSTUDY_EMBEDDINGS", "sim/echo"), **at)
print("embedding of", len(embeddings.get_text_embedding("Hello")), "numbers")

# Tools want a model that has them; policy/demo repeats what it is told.
if model != "policy/demo":

    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    answer = llm.predict_and_call([FunctionTool.from_defaults(weather)], "How is the weather in Lisbon?")
    print("tool:", answer.response)
