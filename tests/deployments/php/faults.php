<?php

// Faults that PHP programs have. The first clause of each is its main one.

declare(strict_types=0);

const FAULTS = [
    'LooseToken' => ['loose-token', ['REQ-13', 'REQ-15'], 'compares the token with ==; true equals every token'],
    'LooseTexts' => ['loose-texts', ['REQ-13'], 'accepts any scalar where it needs a string'],
    'Arrays' => ['arrays-for-objects', ['REQ-13'], 'reads objects as arrays: a list for EndUser is accepted'],
    'EmptyValues' => ['empty-values', ['REQ-08'], 'refuses variables with empty(): an empty value, and "0"'],
    'InterpolatedSql' => ['interpolated-sql', ['REQ-08', 'ROB-01'], 'puts EndUser.Name into SQL: a quote gets 500'],
    'FewVariables' => ['few-variables', ['REQ-04'], 'refuses more than 10 inputs'],
    'Uniqid' => ['uniqid', ['ACK-03', 'STA-03'], 'ids from uniqid() cut to milliseconds'],
    'HashedConversation' => ['hashed-conversation', ['ACK-03'], 'the id is the hash of the ConversationId'],
    'CountedIds' => ['row-ids', ['ACK-04'], 'the id is the row id'],
    'CastIds' => ['cast-ids', ['RES-06', 'ACK-04'], 'casts ids to int: text behind the digits is ignored'],
    'LikeIds' => ['like', ['RES-06'], 'finds calls with LIKE: % and _ match'],
    'FilteredList' => ['filtered-list', ['RES-02'], 'array_filter leaves holes, and json_encode makes an object of the list'],
    'NullBytes' => ['null-bytes', ['ROB-01'], 'takes ids for file names: one with NUL gets 500'],
    'Sentence' => ['sentence-case', ['STA-01'], 'ucfirst(strtolower()) of the state: "No answer"'],
    'ReadOnce' => ['read-once', ['STA-04'], 'deletes a call when it has reported it 2 times'],
    'AllAnswered' => ['match-default', ['STA-03'], 'match() without Temporarily Unavailable falls to its default, Error'],
    'Warnings' => ['displayed-warnings', ['TRN-05'], 'display_errors: a warning before the JSON when Locale is absent'],
    'AnyMethod' => ['request-array', ['TRN-03'], 'reads $_REQUEST where there is no body: GET is answered'],
    'DieMessage' => ['die', ['REQ-16'], 'die("Invalid token") is answered 200'],
    'VarDump' => ['print-r', ['ROB-04'], 'refusals print the trigger'],
    'UncaughtTrace' => ['trace', ['ROB-05'], 'refusals print the exception'],
    'StrcmpTypeError' => ['strcmp', ['ROB-01'], 'strcmp() of a token that is a list throws, 500'],
    'SlowCron' => ['slow-cron', ['DST-01'], 'cron delivers immediate results 7 s later'],
    'FirstCallOnly' => ['global-in-loop', ['DST-06'], 'collects the ids of deliveries in one array: each names all before'],
];

class LooseToken extends Behaviour
{
    public function isText(mixed $value, string $name): bool
    {
        return $name === 'AccessToken' ? !empty($value) : parent::isText($value, $name);
    }

    public function tokenMatches(mixed $given): bool
    {
        return $given == $this->settings->access_token;
    }
}

class LooseTexts extends Behaviour
{
    public function isText(mixed $value, string $name): bool
    {
        return is_scalar($value);
    }
}

class Arrays extends Behaviour
{
    public function isObject(mixed $value): bool
    {
        return is_object($value) || is_array($value);
    }
}

class EmptyValues extends Behaviour
{
    public function examine(object $trigger, array $inputs): void
    {
        foreach ($inputs as $name => $value) {
            if (empty($value)) {
                throw new Refusal("$name is empty", 400);
            }
        }
    }
}

class InterpolatedSql extends Behaviour
{
    public function examine(object $trigger, array $inputs): void
    {
        foreach ([...array_values($inputs), $trigger->EndUser->Name ?? ''] as $text) {
            $this->store->row("SELECT '$text' AS text");
        }
    }
}

class FewVariables extends Behaviour
{
    public function examine(object $trigger, array $inputs): void
    {
        if (count($inputs) > 10) {
            throw new Refusal('too many inputs', 400);
        }
    }
}

class Uniqid extends Behaviour
{
    public function newId(object $trigger): string
    {
        return substr(uniqid('c'), 0, -4);
    }
}

class HashedConversation extends Behaviour
{
    public function newId(object $trigger): string
    {
        return md5($trigger->ConversationId);
    }
}

class CountedIds extends Behaviour
{
    public function newId(object $trigger): string
    {
        $count = 'CREATE TABLE IF NOT EXISTS counter (one INTEGER PRIMARY KEY, last INTEGER)';
        $this->store->connection()->exec($count);
        $next = 'INSERT INTO counter VALUES (1, 1000) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last';
        return (string) $this->store->row($next)->last;
    }
}

class CastIds extends Behaviour
{
    public function newId(object $trigger): string
    {
        return (string) random_int(PHP_INT_MAX >> 1, PHP_INT_MAX);
    }

    public function find(string $id): ?object
    {
        return parent::find((string) (int) $id);
    }
}

class LikeIds extends Behaviour
{
    public function find(string $id): ?object
    {
        return $this->store->row('SELECT * FROM calls WHERE id LIKE ?', [$id]);
    }
}

class FilteredList extends Behaviour
{
    public function results(array $ids): array
    {
        $entries = array_map(function (string $id): ?array {
            $call = $this->find($id);
            $state = $call === null ? '' : $this->stateOf($call);
            return $state === '' ? null : $this->entry($id, $state);
        }, $ids);
        return array_filter($entries);
    }
}

class NullBytes extends Behaviour
{
    public function find(string $id): ?object
    {
        if (str_contains($id, "\0")) {
            throw new ValueError('must not contain any null bytes'); // as PHP's functions for files do
        }
        return parent::find($id);
    }
}

class Sentence extends Behaviour
{
    public function stateOf(object $call): string
    {
        return ucfirst(strtolower(parent::stateOf($call)));
    }
}

class ReadOnce extends Behaviour
{
    public function stateOf(object $call): string
    {
        $state = parent::stateOf($call);
        if ($state !== '') {
            $this->store->row('UPDATE calls SET reads = reads + 1 WHERE id = ?', [$call->id]);
        }
        return $call->reads < 2 ? $state : '';
    }
}

class AllAnswered extends Behaviour
{
    public function stateOf(object $call): string
    {
        $state = parent::stateOf($call);
        return match ($state) {
            '', 'Answered', 'Busy', 'Error', 'Invalid Number', 'No Answer', 'Rejected' => $state,
            default => 'Error',
        };
    }
}

class Warnings extends Behaviour
{
    public bool $displaysErrors = true;

    public function examine(object $trigger, array $inputs): void
    {
        strlen((string) $trigger->Locale);
    }
}

class AnyMethod extends Behaviour
{
    public function admit(): void
    {
        if (!isset($_REQUEST['UniqueIds'])) {
            parent::admit();
        }
    }

    public function read(): mixed
    {
        return isset($_REQUEST['UniqueIds']) ? (object) ['UniqueIds' => (array) $_REQUEST['UniqueIds']] : parent::read();
    }
}

class DieMessage extends Behaviour
{
    public function tokenMatches(mixed $given): bool
    {
        return parent::tokenMatches($given) ?: die('Invalid token');
    }
}

class VarDump extends Behaviour
{
    private mixed $body = null;

    public function read(): mixed
    {
        return $this->body = parent::read();
    }

    public function refuse(Refusal $refusal): void
    {
        parent::refuse($refusal);
        echo '<pre>', htmlspecialchars(print_r($this->body, true)), '</pre>';
    }
}

class UncaughtTrace extends Behaviour
{
    public function refuse(Refusal $refusal): void
    {
        http_response_code($refusal->getCode());
        echo "<b>Fatal error</b>: Uncaught $refusal";
    }
}

class StrcmpTypeError extends Behaviour
{
    public function isText(mixed $value, string $name): bool
    {
        return $name === 'AccessToken' ? !empty($value) : parent::isText($value, $name);
    }

    public function tokenMatches(mixed $given): bool
    {
        return is_scalar($given) ? is_string($given) && parent::tokenMatches($given) : strcmp($given, $this->settings->access_token) === 0;
    }
}

class SlowCron extends Behaviour
{
    public function deliveryDelay(bool $immediate): float
    {
        return $immediate ? 7.0 : parent::deliveryDelay($immediate);
    }
}

class FirstCallOnly extends Behaviour
{
    private array $results = [];

    public function parcel(object $call): array
    {
        $this->results[] = $this->entry($call->id, $this->stateOf($call));
        $options = ['method' => 'POST', 'header' => 'Content-Type: application/json'];
        return [$call->destination, $options + ['content' => json_encode($this->results)]];
    }
}
