"""The chain as LlamaIndex query and chat engines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.base.response.schema import RESPONSE_TYPE, Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.chat_engine.types import AgentChatResponse, BaseChatEngine, StreamingAgentChatResponse
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from qa.conversation import Conversation
from qa.types import Answer

__all__ = ["CitedChatEngine", "CitedQueryEngine"]


class CitedQueryEngine(BaseQueryEngine):
    """Answers with cited sentences: `source_nodes` are the citations, `metadata['answer']` is the whole Answer."""

    def __init__(self, ask: Callable[[str], Answer]) -> None:
        super().__init__(callback_manager=CallbackManager())
        self._ask = ask

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        answer = self._ask(query_bundle.query_str)
        return Response(response=answer.text, source_nodes=_source_nodes(answer), metadata={"answer": answer})

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return self._query(query_bundle)

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}


class CitedChatEngine(BaseChatEngine):
    """A conversation behind LlamaIndex's chat interface; a history that is passed in replaces its own."""

    def __init__(self, conversation: Callable[[], Conversation], ask: Callable[[str, list[str]], Answer]) -> None:
        self._start = conversation
        self._ask = ask
        self._conversation: Conversation | None = conversation()
        """None once a history was passed in, which is then all that follow-ups go by."""
        self._history: list[ChatMessage] = []

    def chat(self, message: str, chat_history: list[ChatMessage] | None = None) -> AgentChatResponse:
        """Answers a message."""
        if chat_history is not None:
            self._conversation = None
            self._history = list(chat_history)
        if self._conversation is not None:
            answer = self._conversation.ask(message)
        else:
            asked = [past.content or "" for past in self._history if past.role == MessageRole.USER]
            answer = self._ask(message, asked)
        self._history += [
            ChatMessage(role=MessageRole.USER, content=message),
            ChatMessage(role=MessageRole.ASSISTANT, content=answer.text),
        ]
        return AgentChatResponse(response=answer.text, source_nodes=_source_nodes(answer), metadata={"answer": answer})

    def stream_chat(self, message: str, chat_history: list[ChatMessage] | None = None) -> StreamingAgentChatResponse:
        """Answers a message; the checked answer arrives in one piece, because nothing is shown before it is checked."""
        answered = self.chat(message, chat_history)
        response = StreamingAgentChatResponse(
            response=answered.response,
            source_nodes=answered.source_nodes,
            chat_stream=(piece for piece in [ChatResponse(message=self._history[-1], delta=answered.response)]),
            achat_stream=_one(ChatResponse(message=self._history[-1], delta=answered.response)),
            is_writing_to_memory=False,
            is_function=False,
        )
        response.is_done = True
        return response

    async def achat(self, message: str, chat_history: list[ChatMessage] | None = None) -> AgentChatResponse:
        """Answers a message."""
        return self.chat(message, chat_history)

    async def astream_chat(self, message: str, chat_history: list[ChatMessage] | None = None) -> StreamingAgentChatResponse:
        """Answers a message; see `stream_chat`."""
        return self.stream_chat(message, chat_history)

    def reset(self) -> None:
        """Forgets the conversation."""
        self._conversation = self._start()
        self._history = []

    @property
    def chat_history(self) -> list[ChatMessage]:
        """Messages so far, oldest first."""
        return self._history


async def _one(response: ChatResponse) -> AsyncGenerator[ChatResponse, None]:
    yield response


def _source_nodes(answer: Answer) -> list[NodeWithScore]:
    return [
        NodeWithScore(
            node=TextNode(
                text=citation.quote,
                start_char_idx=citation.start,
                end_char_idx=citation.end,
                metadata={"number": citation.number, "title": citation.title, "heading": citation.heading or ""},
                relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=citation.document_id)},
            ),
            score=citation.score,
        )
        for citation in answer.citations
    ]
