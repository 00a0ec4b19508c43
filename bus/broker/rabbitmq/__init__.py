"""The RabbitMQ backend: the only place that imports the AMQP library."""

from __future__ import annotations

from bus.broker.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
