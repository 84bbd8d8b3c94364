<?php

// Other conforming ways to serve the API.

declare(strict_types=1);

const DIALECTS = [
    'Behaviour' => ['natural', [], "json_decode into objects, SQLite, PHP's own server; each answer closes its connection"],
    'CollatedIds' => ['collated-ids', [], 'compares ids without case and trailing blanks, as SQL databases do'],
    'BinaryUuids' => ['binary-uuids', [], 'keeps UUIDs as 16 bytes, so that hyphens, braces and case do not matter'],
    'TextDeliveries' => ['text-deliveries', [], 'delivers plain text'],
    'QueryDeliveries' => ['query-deliveries', [], 'delivers by GET, in the query'],
    'OneWorker' => ['one-worker', [], 'answers one request at a time'],
    'Compressed' => ['compressed', [], 'answers gzipped to who accepts it'],
    'Framework' => ['framework', [], '422 with a list of errors, 415 for other media types, headers of a framework'],
    'LongIds' => ['long-ids', [], 'ids of 200 characters; all text escaped and indented'],
    'ReadIntoArrays' => ['read-into-arrays', [], 'takes [] and {} for the same, as json_decode into arrays does'],
    'Limited' => ['limited', [], '429 with Retry-After: 1.5 above 20 requests in 1.5 s'],
];

class CollatedIds extends Behaviour
{
    public function newId(object $trigger): string
    {
        return rtrim(strtr(base64_encode(random_bytes(18)), '+/', '-_'), '=');
    }

    public function find(string $id): ?object
    {
        return $this->store->row('SELECT * FROM calls WHERE id = rtrim(?) COLLATE NOCASE', [$id]);
    }
}

class BinaryUuids extends Behaviour
{
    public function newId(object $trigger): string
    {
        return strtoupper(vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex(random_bytes(16)), 4)));
    }

    public function find(string $id): ?object
    {
        $digits = strtoupper(str_replace(['urn:uuid:', '{', '}', '-'], '', trim($id)));
        return $this->store->row("SELECT * FROM calls WHERE replace(id, '-', '') = ?", [$digits]);
    }
}

class TextDeliveries extends Behaviour
{
    public function parcel(object $call): array
    {
        $body = "UniqueId: $call->id\r\nCallState: {$this->stateOf($call)}\r\n";
        return [$call->destination, ['method' => 'POST', 'header' => 'Content-Type: text/plain', 'content' => $body]];
    }
}

class QueryDeliveries extends Behaviour
{
    public function parcel(object $call): array
    {
        $query = http_build_query(['UniqueId' => $call->id, 'CallState' => $this->stateOf($call)]);
        $mark = str_contains($call->destination, '?') ? '&' : '?';
        return [$call->destination . $mark . $query, ['method' => 'GET']];
    }
}

class OneWorker extends Behaviour
{
    public int $workers = 1;
}

class Compressed extends Behaviour
{
    public function write(mixed $answer): void
    {
        ob_start('ob_gzhandler');
        parent::write($answer);
        ob_end_flush();
    }
}

class Framework extends Behaviour
{
    public function admit(): void
    {
        header('X-Powered-By: Framework');
        header('Cache-Control: no-cache, private');
        setcookie('session', bin2hex(random_bytes(8)), ['path' => '/', 'httponly' => true]);
        parent::admit();
        if (!preg_match('~^application/(.+\+)?json\b~i', $_SERVER['CONTENT_TYPE'] ?? '')) {
            throw new Refusal('Unsupported Media Type', 415);
        }
    }

    public function refuse(Refusal $refusal): void
    {
        http_response_code($refusal->getCode() === 400 ? 422 : $refusal->getCode());
        header('Content-Type: application/json');
        echo json_encode(['message' => 'The given data was invalid.', 'errors' => ['body' => [$refusal->getMessage()]]]);
    }
}

class LongIds extends Behaviour
{
    public function newId(object $trigger): string
    {
        return bin2hex(random_bytes(100));
    }

    public function write(mixed $answer): void
    {
        header('Content-Type: application/json; charset=utf-8');
        echo json_encode($answer, JSON_PRETTY_PRINT | JSON_HEX_TAG | JSON_HEX_AMP | JSON_HEX_QUOT), "\n";
    }
}

class ReadIntoArrays extends Behaviour
{
    public function read(): mixed
    {
        $body = parent::read();
        if (is_object($body) && ($body->EndUser ?? null) === []) {
            $body->EndUser = (object) [];
        }
        if (is_object($body->UniqueIds ?? null) && (array) $body->UniqueIds === []) {
            $body->UniqueIds = [];
        }
        return $body;
    }
}

class Limited extends Behaviour
{
    public function admit(): void
    {
        $store = $this->store->connection();
        $store->exec('CREATE TABLE IF NOT EXISTS windows (number INTEGER PRIMARY KEY, requests INTEGER)');
        $add = 'INSERT INTO windows VALUES (?, 1) ON CONFLICT DO UPDATE SET requests = requests + 1 RETURNING requests';
        if ($this->store->row($add, [intdiv((int) (microtime(true) * 10), 15)])->requests > 20) {
            header('Retry-After: 1.5');
            throw new Refusal('Too Many Requests', 429);
        }
        parent::admit();
    }
}
