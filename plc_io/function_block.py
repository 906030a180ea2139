"""The hand-written half of `okng.st`: the gate's shift register, the station's function block, an example program.

Written for IEC 61131-3 edition 2 without anything of a vendor: no pointers, no methods, no overflow that wraps, no
conversion of a bit pattern to REAL. `structured_text.py` puts the addresses, the types and pack and unpack before it.
"""

GATE = """\
(* Counts from the eye to where the part is now. The encoder counts up when the line runs forward and wraps
   at 2**32. A part that was drawn back behind the eye has travelled 0. *)
FUNCTION OKNG_TRAVEL : UDINT
VAR_INPUT
    now_count : UDINT;
    eye_count : UDINT;
END_VAR
VAR
    travelled : UDINT;
END_VAR
    IF now_count >= eye_count THEN
        travelled := now_count - eye_count;
    ELSE
        travelled := (UDINT#4294967295 - eye_count) + now_count + UDINT#1;
    END_IF;
    IF travelled > UDINT#2147483647 THEN
        travelled := UDINT#0;
    END_IF;
    OKNG_TRAVEL := travelled;
END_FUNCTION

(* Shift register by encoder counts. The gate is shut unless a part that is OK stands at it: a part that has no
   result, another part's result, a late one, or no place in here, meets a shut gate. Call it once in every scan. *)
FUNCTION_BLOCK OKNG_GATE
VAR_INPUT
    encoder : UDINT;            (* counts, forward is up *)
    commit_counts : UDINT;      (* from the eye: here the decision is final *)
    open_counts : UDINT;        (* from the eye: here the gate has to begin to move: gate less valve and link time *)
    close_counts : UDINT;       (* from the eye: here the part has left the gate *)
    new_part : BOOL;            (* TRUE in one scan: a part is at the eye *)
    part : UDINT;               (* its number *)
    void_part : UDINT;          (* this part can never pass, whatever its result says; 0: none *)
    result : BOOL;              (* TRUE in one scan: a result was read *)
    result_part : UDINT;        (* whose it is *)
    result_ok : BOOL;           (* it is OK, and nothing else *)
    reject_all : BOOL;          (* the box cannot be believed: what is not final is rejected *)
    reset : BOOL;               (* TRUE in one scan: leave overflow *)
END_VAR
VAR_OUTPUT
    gate_open : BOOL;           (* TRUE: let the part through. Wire it so that a dead output rejects *)
    settings_ok : BOOL;         (* commit_counts < open_counts < close_counts *)
    overflow : BOOL;            (* more parts on the way than places: all are rejected until reset *)
    on_the_way : UINT;
    passed : UDINT;
    rejected : UDINT;
    late : UDINT;               (* results that came after the decision was final *)
    foreign : UDINT;            (* results of a part that is not on the way *)
END_VAR
VAR
    slots : ARRAY [0..31] OF OKNG_SLOT;     (* a ring, in the order of the belt *)
    first : INT;                            (* the one nearest to the gate *)
    count : INT;
    i : INT;
    k : INT;
    m : INT;
    before : INT;
    travelled : UDINT;
    found : BOOL;
    joined : BOOL;
    all_pass : BOOL;
    wants_open : BOOL;
    wants_shut : BOOL;
END_VAR
    settings_ok := (commit_counts < open_counts) AND (open_counts < close_counts)
        AND (close_counts < UDINT#2147483647);
    IF reset THEN
        overflow := FALSE;
    END_IF;

    (* a part at the eye takes a place, as a reject *)
    IF new_part THEN
        IF count >= 32 THEN
            overflow := TRUE;
            rejected := OKNG_NEXT(number := rejected);
        ELSE
            i := (first + count) MOD 32;
            slots[i].part := part;
            slots[i].eye_count := encoder;
            slots[i].pass := FALSE;
            slots[i].void := FALSE;
            slots[i].committed := FALSE;
            count := count + 1;
        END_IF;
    END_IF;

    (* the decision becomes final before this scan's result is looked at: a result at the commit point is late *)
    FOR k := 0 TO count - 1 DO
        i := (first + k) MOD 32;
        IF NOT slots[i].committed THEN
            IF (slots[i].part = void_part) OR reject_all OR overflow OR NOT settings_ok THEN
                slots[i].void := TRUE;
                slots[i].pass := FALSE;
            END_IF;
            travelled := OKNG_TRAVEL(now_count := encoder, eye_count := slots[i].eye_count);
            IF travelled >= commit_counts THEN
                (* parts so close that the gate cannot tell them apart pass together or not at all *)
                all_pass := slots[i].pass;
                IF k > 0 THEN
                    before := (first + k - 1) MOD 32;
                    IF OKNG_TRAVEL(now_count := slots[i].eye_count, eye_count := slots[before].eye_count)
                        < (close_counts - open_counts) THEN
                        all_pass := all_pass AND slots[before].pass;
                    END_IF;
                END_IF;
                joined := TRUE;
                before := i;
                FOR m := k + 1 TO count - 1 DO
                    joined := joined AND (OKNG_TRAVEL(now_count := slots[(first + m) MOD 32].eye_count,
                        eye_count := slots[before].eye_count) < (close_counts - open_counts));
                    before := (first + m) MOD 32;
                    IF joined THEN
                        all_pass := all_pass AND slots[before].pass;
                    END_IF;
                END_FOR;
                slots[i].pass := all_pass;
                slots[i].committed := TRUE;
                IF all_pass THEN
                    passed := OKNG_NEXT(number := passed);
                ELSE
                    rejected := OKNG_NEXT(number := rejected);
                END_IF;
            END_IF;
        END_IF;
    END_FOR;

    (* a result belongs to the part of its number and to no other *)
    IF result THEN
        found := FALSE;
        FOR k := 0 TO count - 1 DO
            i := (first + k) MOD 32;
            IF slots[i].part = result_part THEN
                found := TRUE;
                IF slots[i].committed THEN
                    late := OKNG_NEXT(number := late);
                ELSE
                    slots[i].pass := result_ok AND NOT slots[i].void;
                END_IF;
            END_IF;
        END_FOR;
        IF NOT found THEN
            foreign := OKNG_NEXT(number := foreign);
        END_IF;
    END_IF;

    (* the gate; a part behind it gives its place back *)
    wants_open := FALSE;
    wants_shut := FALSE;
    m := 0;
    FOR k := 0 TO count - 1 DO
        i := (first + k) MOD 32;
        travelled := OKNG_TRAVEL(now_count := encoder, eye_count := slots[i].eye_count);
        IF travelled >= close_counts THEN
            m := m + 1;
        ELSIF travelled >= open_counts THEN
            IF slots[i].pass AND slots[i].committed THEN
                wants_open := TRUE;
            ELSE
                wants_shut := TRUE;
            END_IF;
        END_IF;
    END_FOR;
    first := (first + m) MOD 32;
    count := count - m;
    on_the_way := INT_TO_UINT(count);
    gate_open := wants_open AND NOT wants_shut AND NOT overflow AND settings_ok;
END_FUNCTION_BLOCK
"""

STATION_HEAD = """\
(* One okng box. Call it once in every scan, with the 34 input registers as last read and with its 7 words written
   back, both as ONE request each, every 5-10 ms. Three of the box's beats (300 ms) without a change, a map it does
   not know, or a latched loss: no part passes and stop_line is TRUE. It leaves `lost` by reset and by nothing else. *)
FUNCTION_BLOCK OKNG_STATION
VAR_INPUT
    from_box : OKNG_INPUT_WORDS;        (* input registers 0..33, read by one FC04 *)
    low_first : BOOL;                   (* as `word_order` of the box; FALSE: high word first *)
    enable : BOOL;                      (* the line is to run *)
    buffer_results : BOOL;              (* BUFFER_EN: the next trigger may come before the result *)
    part_at_eye : BOOL;                 (* photo-eye; its rising edge is a part *)
    encoder : UDINT;
    commit_counts : UDINT;
    open_counts : UDINT;
    close_counts : UDINT;
    trigger_limit : TIME := T#50ms;     (* TRIG_ACK has to come within this, else the picture is of another place *)
    reset : BOOL;                       (* rising: leave `lost`, overflow and the box's FAULT *)
    reset_counters : BOOL;              (* rising: the box's counters start again *)
    change_job : BOOL;                  (* rising: change to job *)
    job : UINT;
    job_limit : TIME := T#30s;
END_VAR
VAR_OUTPUT
    to_box : OKNG_HOLDING_WORDS;        (* holding registers 0..6, written by one FC16 *)
    gate_open : BOOL;                   (* TRUE: let the part at the gate through *)
    stop_line : BOOL;                   (* the process stop; not a safety function *)
    ready : BOOL;                       (* the next part will be inspected *)
    alive : BOOL;                       (* the box beats and its map is the one of this file *)
    lost : BOOL;                        (* the box fell silent since the last reset *)
    map_ok : BOOL;
    word_order_wrong : BOOL;            (* the canaries come with their words swapped: change low_first *)
    fault_code : UINT;                  (* OKNG_FAULT_ of the box *)
    job_busy : BOOL;
    job_ok : BOOL;                      (* the last change_job ended with its job active *)
    last_part : UDINT;                  (* of the last result read *)
    last_code : UINT;                   (* OKNG_CODE_ of the last result read *)
    missed : UDINT;                     (* parts at the eye that were not asked for: rejected *)
    unanswered : UDINT;                 (* triggers without TRIG_ACK in time: rejected *)
    on_the_way : UINT;                  (* parts between the eye and the gate *)
    passed : UDINT;
    rejected : UDINT;                   (* all others, missed and unanswered ones too *)
    late : UDINT;                       (* results that came after the decision was final *)
    foreign : UDINT;                    (* results of a part that is not on the way *)
    box : OKNG_BOX;                     (* all the box says *)
END_VAR
VAR RETAIN
    part : UDINT;                       (* number of the last part at the eye *)
END_VAR
VAR
    gate : OKNG_GATE;
    plc : OKNG_PLC;
    started : BOOL;
    seen : BOOL;
    last_hb : UINT;
    last_seq : UINT;
    new_part : BOOL;
    void_part : UDINT;
    new_result : BOOL;
    result_ok : BOOL;
    trigger_state : INT;
    job_state : INT;
    silence : TON;
    beat : TON;
    trigger_timer : TON;
    rest_timer : TON;
    reset_timer : TON;
    count_timer : TON;
    job_timer : TON;
    eye_edge : R_TRIG;
    reset_edge : R_TRIG;
    count_edge : R_TRIG;
    job_edge : R_TRIG;
END_VAR
"""

STATION_BODY = """\
    box := OKNG_UNPACK(words := from_box, low_first := low_first);

    (* 1. the map: another major version, or swapped words, and nothing is believed *)
    map_ok := ((box.map_version / UINT#256) = (OKNG_MAP_VERSION / UINT#256))
        AND (box.canary_u32 = OKNG_CANARY_U32) AND (box.canary_f32 = OKNG_CANARY_F32);
    word_order_wrong := (box.canary_u32 = OKNG_CANARY_U32_SWAPPED);

    (* 2. heartbeats: the box's has to change within 300 ms; ours counts every 100 ms *)
    IF NOT started THEN
        started := TRUE;
        last_hb := box.hb;
    END_IF;
    IF box.hb <> last_hb THEN
        seen := TRUE;
    END_IF;
    silence(IN := (box.hb = last_hb), PT := T#300ms);
    last_hb := box.hb;
    IF silence.Q THEN
        IF seen THEN
            lost := TRUE;
        END_IF;
        seen := FALSE;
    END_IF;
    alive := seen AND map_ok;
    beat(IN := TRUE, PT := T#100ms);
    IF beat.Q THEN
        beat(IN := FALSE, PT := T#100ms);
        beat(IN := TRUE, PT := T#100ms);
        IF plc.plc_hb >= UINT#65535 THEN
            plc.plc_hb := UINT#0;
        ELSE
            plc.plc_hb := plc.plc_hb + UINT#1;
        END_IF;
    END_IF;

    (* 3. reset by a person: FAULT_RESET and COUNTER_RESET act on their rising edge and go back by themselves *)
    reset_edge(CLK := reset);
    IF reset_edge.Q THEN
        lost := FALSE;
        plc.command.FAULT_RESET := TRUE;
    END_IF;
    reset_timer(IN := plc.command.FAULT_RESET, PT := T#200ms);
    IF reset_timer.Q THEN
        plc.command.FAULT_RESET := FALSE;
    END_IF;
    count_edge(CLK := reset_counters);
    IF count_edge.Q THEN
        plc.command.COUNTER_RESET := TRUE;
    END_IF;
    count_timer(IN := plc.command.COUNTER_RESET, PT := T#200ms);
    IF count_timer.Q THEN
        plc.command.COUNTER_RESET := FALSE;
    END_IF;

    (* 4. job change-over: a new token, JOB_EXEC, the answer to this token, JOB_EXEC down, the answer down *)
    job_edge(CLK := change_job);
    job_timer(IN := (job_state = 2), PT := job_limit);
    CASE job_state OF
        0:
            IF job_edge.Q AND alive THEN
                plc.job_req := job;
                IF box.job_token >= UINT#65535 THEN
                    plc.job_token := UINT#1;
                ELSE
                    plc.job_token := box.job_token + UINT#1;
                END_IF;
                job_ok := FALSE;
                job_state := 1;
            END_IF;
        1:
            plc.command.JOB_EXEC := TRUE;
            job_state := 2;
        2:
            IF (box.job_token = plc.job_token) AND (box.status.JOB_DONE OR box.status.JOB_FAIL) THEN
                job_ok := box.status.JOB_DONE AND NOT box.status.JOB_FAIL AND (box.job = plc.job_req);
                plc.command.JOB_EXEC := FALSE;
                job_state := 3;
            ELSIF job_timer.Q OR NOT alive THEN
                plc.command.JOB_EXEC := FALSE;
                job_state := 3;
            END_IF;
    ELSE
        IF NOT box.status.JOB_DONE AND NOT box.status.JOB_FAIL AND NOT box.status.JOB_BUSY THEN
            job_state := 0;
        END_IF;
    END_CASE;
    job_busy := (job_state <> 0);

    (* 5. trigger: TRIGGER stays until TRIG_ACK. READY is a level to look at, never an edge to wait for *)
    plc.command.TRIG_ENABLE := enable AND alive AND NOT lost AND gate.settings_ok AND NOT gate.overflow;
    plc.command.BUFFER_EN := buffer_results;
    plc.command.LINE_RUN := enable;
    void_part := UDINT#0;
    trigger_timer(IN := (trigger_state = 1), PT := trigger_limit);
    rest_timer(IN := (trigger_state = 2), PT := T#100ms);
    CASE trigger_state OF
        1:
            IF box.status.TRIG_ACK THEN
                plc.command.TRIGGER := FALSE;
                trigger_state := 0;
            ELSIF trigger_timer.Q OR box.status.FAULT OR NOT alive THEN
                plc.command.TRIGGER := FALSE;
                void_part := plc.part;
                unanswered := OKNG_NEXT(number := unanswered);
                trigger_state := 2;
            END_IF;
        2:
            IF rest_timer.Q THEN
                trigger_state := 0;
            END_IF;
    ELSE
        trigger_state := 0;
    END_CASE;
    ready := alive AND NOT lost AND box.status.READY AND NOT box.status.TRIG_ACK AND NOT box.status.FAULT
        AND plc.command.TRIG_ENABLE AND NOT plc.command.TRIGGER
        AND (trigger_state = 0) AND (job_state = 0);
    eye_edge(CLK := part_at_eye);
    new_part := eye_edge.Q;
    IF new_part THEN
        part := OKNG_NEXT(number := part);
        IF ready THEN
            plc.part := part;
            plc.command.TRIGGER := TRUE;
            trigger_state := 1;
        ELSE
            missed := OKNG_NEXT(number := missed);
        END_IF;
    END_IF;

    (* 6. result: a whole block with a number that is new; it is acknowledged by that number *)
    new_result := alive AND NOT lost AND (box.seq_begin = box.seq_end) AND (box.seq_begin <> UINT#0)
        AND (box.seq_begin <> last_seq) AND box.status.RESULT_VALID;
    result_ok := (box.disposition = OKNG_CODE_OK) AND box.status.OK AND NOT box.status.NG
        AND NOT box.status.UNJUDGED AND NOT box.status.FAULT;
    IF new_result THEN
        last_seq := box.seq_begin;
        last_part := box.part;
        last_code := box.disposition;
        plc.ack_seq := box.seq_begin;
    END_IF;

    (* 7. the gate *)
    gate(
        encoder := encoder,
        commit_counts := commit_counts,
        open_counts := open_counts,
        close_counts := close_counts,
        new_part := new_part,
        part := part,
        void_part := void_part,
        result := new_result,
        result_part := box.part,
        result_ok := result_ok,
        reject_all := lost OR NOT alive,
        reset := reset_edge.Q);
    gate_open := gate.gate_open;
    on_the_way := gate.on_the_way;
    passed := gate.passed;
    rejected := gate.rejected;
    late := gate.late;
    foreign := gate.foreign;
    fault_code := box.fault;
    stop_line := lost OR NOT alive OR gate.overflow OR NOT gate.settings_ok OR box.status.LINE_STOP_REQ;
    to_box := OKNG_PACK(plc := plc, low_first := low_first);
END_FUNCTION_BLOCK
"""

EXAMPLE = """\
(* How it is called. The Modbus client is the vendor's: cyclic FC04 of input registers 0..33 into from_box, cyclic
   FC16 of holding registers 0..6 out of to_box. Here: 10 counts per mm, gate 500 mm behind the eye, parts of 60 mm,
   600 mm/s, 20 ms for valve and link. *)
PROGRAM OKNG_EXAMPLE
VAR
    station : OKNG_STATION;
    from_box : OKNG_INPUT_WORDS;
    to_box : OKNG_HOLDING_WORDS;
    photo_eye : BOOL;
    encoder_counts : UDINT;
    run_line : BOOL;
    reset_button : BOOL;
    gate_valve : BOOL;
    line_drive : BOOL;
END_VAR
    station(
        from_box := from_box,
        enable := run_line,
        buffer_results := TRUE,
        part_at_eye := photo_eye,
        encoder := encoder_counts,
        commit_counts := UDINT#4800,
        open_counts := UDINT#4880,
        close_counts := UDINT#5620,
        reset := reset_button);
    to_box := station.to_box;
    gate_valve := station.gate_open;
    line_drive := run_line AND NOT station.stop_line;
END_PROGRAM
"""
