<?php

declare(strict_types=1);

require __DIR__ . '/Refusal.php';

/** Every decision of the deployment that a dialect or a fault makes otherwise. */
class Behaviour
{
    public int $workers = 6;
    public bool $displaysErrors = false;

    public function __construct(public readonly object $settings, public readonly Store $store) {}

    public function admit(): void
    {
        if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
            header('Allow: POST');
            throw new Refusal('Method Not Allowed', 405);
        }
    }

    public function read(): mixed
    {
        return json_decode(file_get_contents('php://input'));
    }

    public function isObject(mixed $value): bool
    {
        return is_object($value);
    }

    public function isText(mixed $value, string $name): bool
    {
        return is_string($value);
    }

    public function refuse(Refusal $refusal): void
    {
        http_response_code($refusal->getCode());
        echo '<h1>', $refusal->getCode(), ' ', htmlspecialchars($refusal->getMessage()), '</h1>';
    }

    public function write(mixed $answer): void
    {
        header('Content-Type: application/json');
        echo json_encode($answer);
    }

    public function examine(object $trigger, array $inputs): void {}

    public function tokenMatches(mixed $given): bool
    {
        return hash_equals($this->settings->access_token, $given);
    }

    public function newId(object $trigger): string
    {
        return bin2hex(random_bytes(16));
    }

    public function ack(string $id, object $trigger): mixed
    {
        return ['UniqueId' => $id];
    }

    public function find(string $id): ?object
    {
        return $this->store->row('SELECT * FROM calls WHERE id = ?', [$id]);
    }

    /** The state of a call, empty until it is final. */
    public function stateOf(object $call): string
    {
        return microtime(true) < $call->final_at ? '' : $this->settings->lines->{$call->number};
    }

    public function entry(string $id, string $state): array
    {
        return ['UniqueId' => $id, 'CallRequestId' => '', 'CallState' => $state];
    }

    public function results(array $ids): array
    {
        $entries = [];
        foreach ($ids as $id) {
            $call = $this->find($id);
            if ($call !== null && ($state = $this->stateOf($call)) !== '') {
                $entries[] = $this->entry($id, $state);
            }
        }
        return $entries;
    }

    /** Seconds from the final state until the result is sent. */
    public function deliveryDelay(bool $immediate): float
    {
        return $immediate ? $this->settings->delivery_seconds : $this->settings->queued_delivery_seconds;
    }

    /** What is sent: address and options of PHP's HTTP wrapper. */
    public function parcel(object $call): array
    {
        $body = json_encode($this->entry($call->id, $this->stateOf($call)));
        return [$call->destination, ['method' => 'POST', 'header' => 'Content-Type: application/json', 'content' => $body]];
    }
}
